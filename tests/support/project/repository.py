"""Names the folders of the code, and defines the format of documented tables."""

import re

FOLDERS = ("ingest", "worker", "store", "api", "http_server", "environment", "telemetry", "dev")
TABLE_ROW = re.compile(r"^\| *((?:`[A-Z][A-Z0-9_]*`[ ,]*)+)\|", re.MULTILINE)
