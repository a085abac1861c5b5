"""Slack's workspace export (FORMATS: a zip of JSON files): `export` reads it, `messages` judges one message, `mrkdwn`
makes plain text of Slack's markup."""
