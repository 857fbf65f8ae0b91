"""For schemathesis: values of the kinds that only the API can tell from others like them (`format` in the document).

It loads this by SCHEMATHESIS_HOOKS; SAMPLES names a file with what the running API gave out.
"""

import json
import os
from pathlib import Path

import schemathesis
from hypothesis import strategies as st

for name, values in json.loads(Path(os.environ["SAMPLES"]).read_text()).items():
    schemathesis.openapi.format(name, st.sampled_from(values))
