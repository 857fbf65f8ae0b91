"""Reads the operator's settings for every process: variables, `.env`, secrets and addresses to listen on."""
