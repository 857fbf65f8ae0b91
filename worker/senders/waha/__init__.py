"""Parses webhooks of WAHA, of every engine: WEBJS, WPP, NOWEB and GOWS."""
