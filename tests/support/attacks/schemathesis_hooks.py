"""Extends schemathesis with values that only the API can distinguish from similar ones (`format` in the document).

SCHEMATHESIS_HOOKS loads this module. SAMPLES names a file with values that the running API returned.
"""

import json
import os
from pathlib import Path

import schemathesis
from hypothesis import strategies as st

for name, values in json.loads(Path(os.environ["SAMPLES"]).read_text()).items():
    schemathesis.openapi.format(name, st.sampled_from(values))
