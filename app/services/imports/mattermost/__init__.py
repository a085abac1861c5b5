"""Mattermost's bulk export: JSON lines, mostly in a zip beside the files of its messages.

`export` reads it, `messages` judges one post, `sorting` brings posts into the order of time: an export has them in
the order of their ids, and answers inside what they answer.
"""
