"""Reads variables, `.env`, secret files and addresses for the `settings.py` of each process."""
