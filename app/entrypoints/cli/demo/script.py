"""What is said in the generated conversation. Every sentence was written for it.

A talk is a room, a topic and its turns. A turn is a speaker's letter (who that is, is drawn for each talk), perhaps
the number of the turn it quotes, and what they say: ``A``, ``B>1``. ``{place}`` stands for a word drawn once for each
talk, ``@A`` mentions a speaker, backquotes are code. A talk with ``repeat`` is held several times, with other words.
"""

from __future__ import annotations

from dataclasses import dataclass

PEOPLE = (
    "Amara Okafor",
    "Björn Lindqvist",
    "Chiara Ricci",
    "Dmitri Volkov",
    "Esther Goldberg",
    "Farid Rahimi",
    "Grace Nakamura",
    "Hugo Fernández",
    "Ines Duarte",
    "Jonas Weber",
    "Kavya Iyer",
    "Liam O'Brien",
)
BOT = "Notification Bot"

WORDS = {
    "service": ("checkout", "search", "billing", "sign-up", "uploads", "notifications"),
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
    "version": ("4.12", "4.13", "4.14", "5.0", "5.1"),
    "number": ("17", "23", "40", "64", "112", "350"),
    "city": ("Lisbon", "Kraków", "Nairobi", "Montréal", "Osaka"),
    "customer": ("a bakery in Porto", "the school in Leeds", "a bike shop", "the town library", "a dental clinic"),
}

_PLAN = """```
Aggregate  (rows=1)
  ->  Seq Scan on items
        Filter: (deleted_at IS NULL)
```"""


@dataclass(frozen=True, slots=True)
class Talk:
    """One topic of one room."""

    room: str
    topic: str
    turns: tuple[tuple[str, str], ...]
    repeat: int = 1
    day: int | None = None
    """On which day of the conversation it takes place; None leaves it to chance."""


TALKS = (
    Talk(
        "general",
        "welcome",
        (
            ("A", "Welcome everyone! One room for each area, one topic for each question. Say hello here :wave:"),
            ("B", "Hello from {city}. I look after `{service}` and far too many houseplants."),
            ("C", "Hi all! I do design and the occasional icon emergency."),
            ("D", "Hello. On call this week, so if something beeps, it was probably me."),
            ("B>4", "And if it does not beep?"),
            ("D", "Then it is fixed, or the pager is broken. One of the two."),
        ),
        day=0,
    ),
    Talk(
        "general",
        "{day} lunch",
        (
            ("A", "Who is in on {day}? I would book a table for lunch."),
            ("B", "In!"),
            ("C", "Me too, if there is something without nuts."),
            ("A>3", "There is, I asked. That makes three so far."),
            ("D", "Travelling to {city} that day, have a dumpling for me."),
            ("A", "Table for four at half past twelve, the extra chair is for our bags then."),
        ),
        repeat=3,
    ),
    Talk(
        "general",
        "release {version}",
        (
            ("A", "Release {version} is planned for {day}. Anything that must not be in it?"),
            ("B", "The new `{service}` page needs one more day. Can it be behind the flag?"),
            ("A>2", "It can, as long as the flag is off by default."),
            ("C", "Translations are complete, {number} strings reviewed."),
            ("B", "Flag is in and off. I tried both ways on staging."),
            ("A", "Then we are set. Thank you @B and @C!"),
            ("A", "Release {version} is out. Nothing is on fire :tada:"),
        ),
        repeat=3,
    ),
    Talk(
        "backend",
        "slow {service} query",
        (
            ("A", "The `{service}` list takes {number}0 ms at the 99th percentile since last week. Any idea?"),
            ("B", "Is that the page with the counter on top? It counts all rows for every request."),
            ("A>2", "That one. Do people look at the counter at all?"),
            ("B", f"Not that I know. Here is the plan:\n{_PLAN}"),
            ("C", "A partial index would turn this into an index-only scan: `WHERE deleted_at IS NULL`."),
            ("A>5", "Tried it: down to 9 ms. I am still for dropping the counter."),
            ("B", "Both then. @A will you open the change, or shall I?"),
            ("A", "Open already, review welcome."),
            ("C", "Approved, with one remark about the name of the index."),
        ),
        repeat=3,
    ),
    Talk(
        "backend",
        "retries and duplicate orders",
        (
            ("A", "Two customers got the same order twice on {day}. The client repeats the request on a time-out."),
            ("B", "The request has no key of its own, so how would the server know it is the same one?"),
            ("A>2", "It would not. That is the bug, I am afraid."),
            ("C", "Let the client make a key before the first try and send it with every one of them."),
            ("D>4", "And if two different orders come with one key?"),
            ("C>5", "Then it is a conflict, and we say so. The same key with the same order gives the first answer."),
            (
                "A",
                "I like it. The key has to be stored in the transaction of the order, otherwise we only move the gap.",
            ),
            ("B", "Agreed. A unique index on sender and key will do, everything else is decoration."),
            ("A", "Done, with a test that kills the connection at every step. No order twice, none lost."),
        ),
    ),
    Talk(
        "backend",
        "time zones, again",
        (
            ("A", "A report shows {number} messages for the 31st of April. There is no 31st of April."),
            ("B", "Let me guess: a local time plus a month, and no calendar anywhere near it."),
            ("A>2", "Worse. A text column."),
            ("C", "Store the instant in UTC, keep the zone beside it if a person has to see it, compute with neither."),
            ("B", "Can we print that on a mug?"),
        ),
    ),
    Talk(
        "mobile",
        "badge shows {number} but nothing is unread",
        (
            ("A", "My phone says {number} unread, the app says none. Both on {version}."),
            ("B", "Does it go away after you open the room?"),
            ("A>2", "It goes to {number} minus one. I have opened a lot of rooms by now."),
            ("C", "The badge is a tally we add to and take from. If one message is deleted, it is wrong for ever."),
            ("B>4", "So we derive it instead: last message minus last read, less what does not count?"),
            ("C", "Yes. A number that can be computed should not be kept."),
            ("A", "Just got the build. Zero unread and zero shown, I could get used to this."),
        ),
        repeat=2,
    ),
    Talk(
        "mobile",
        "dark theme",
        (
            ("A", "The dark theme is on by default for {number} testers. How is it?"),
            ("B", "Lovely, but quoted text is grey on darker grey. See this: _“is this a quote or a stain?”_"),
            ("C>2", "Contrast is 2.9 there, it should be 4.5. I take it."),
            ("C", "Now 5.2, and links are not purple any more."),
            ("A", "My eyes thank you."),
        ),
    ),
    Talk(
        "design",
        "icons for {service}",
        (
            ("A", "Three drafts for the `{service}` icon are in the shared folder. Which one?"),
            ("B", "The second. The first looks like a toaster."),
            ("C>2", "I like the toaster :smile:"),
            ("A", "It was meant to be a mailbox…"),
            ("B", "Second with the corners of the third?"),
            ("A>5", "That works well. Uploading in 16, 24 and 48 pixels."),
        ),
        repeat=3,
    ),
    Talk(
        "design",
        "what do we call a person who writes?",
        (
            ("A", "We say user, member, sender and author for the same person on one page. Pick one?"),
            ("B", "Author for what they wrote, member for where they sit. User only where they log in."),
            ("A>2", "Sender is out then?"),
            ("B", "Only letters have senders."),
            ("C", "I changed {number} places. If you find another, it is yours to keep."),
        ),
    ),
    Talk(
        "support",
        "{customer} cannot log in",
        (
            ("A", "{customer} cannot log in since {day}. The password is right, the clock on their computer is not."),
            ("B", "How wrong is it?"),
            ("A>2", "{number} days."),
            (
                "B",
                "The token says it was made in the future, so we refuse it. We could allow a minute or two, not that.",
            ),
            ("A", "They have set the clock and are in. They also know now why their backups were never due."),
            ("C", "I added a sentence to the message: `Please check the date of this computer`."),
        ),
        repeat=3,
    ),
    Talk(
        "support",
        "how do I export everything?",
        (
            ("A", "Question from {customer}: can they export everything, or only what they wrote themselves?"),
            ("B", "What they may see: their own messages, and the rooms they sit in. Files are links."),
            ("C>2", "And how long do the links live?"),
            ("B", "A week. Longer on request."),
            ("A", "Passed on, they are happy. Closing this."),
            ("Z", "This topic was marked as resolved."),
        ),
        repeat=2,
    ),
    Talk(
        "on-call",
        "{day} 03:{number}",
        (
            ("A", "Paged: disk of the `{service}` replica at 91 %. Looking."),
            ("A", "A log nobody rotates. Compressed it, 60 % now. Going back to sleep."),
            ("B>2", "Thank you! I put rotation on it so that it stays that way."),
            ("A", "Morning. It did."),
        ),
        repeat=4,
    ),
    Talk(
        "on-call",
        "restore drill",
        (
            (
                "A",
                "Restore drill today at three. Yesterday's backup of `{service}` into an empty server, clock running.",
            ),
            ("B", "Do we stop at “it starts”?"),
            ("A>2", "No: counts compared, one write, one read of that write. Then we stop."),
            ("C", "Restore took 11 minutes, the counts agree."),
            ("A", "First write after 14 minutes. The page in the manual said 10, I changed the page."),
            ("B", "An honest manual! Frame it."),
        ),
    ),
    Talk(
        "random",
        "best bread of {city}",
        (
            ("A", "In {city} until {day}. Where is the good bread?"),
            ("B", "Behind the station, the shop with the queue. The queue is the sign."),
            ("C>2", "There are two shops with queues."),
            ("B>3", "Then you have breakfast and lunch."),
            ("A", "Report: breakfast wins. 🥖"),
        ),
        repeat=3,
    ),
    Talk(
        "random",
        "what are you reading?",
        (
            ("A", "A book about maps with mistakes in them on purpose. Recommended."),
            ("B", "A crime novel in which the printer did it. Less so."),
            ("C>2", "I have met that printer."),
            ("D", "Old release notes. Comedy, mostly."),
        ),
    ),
)
