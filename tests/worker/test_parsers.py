"""The name of a parser identifies all the code that decides what a replay writes."""

import grimp

from dev.checkout import ROOT
from worker import parsers


def test_every_module_that_parses_or_folds_is_part_of_the_parsers_name() -> None:
    """Without a module's code in the digest, a change of it would not make an interrupted replay start again."""
    graph = grimp.build_graph("worker", "store", "ingest", "telemetry", cache_dir=None)
    roots = ("worker.senders.sak.parser", "store.ingestion.apply", "store.replay.replay")
    modules = set(roots).union(*(graph.find_upstream_modules(root) for root in roots))
    files = {str(path.relative_to(ROOT)) for path in parsers.source_files()}

    missing = {
        name
        for name in modules
        if not {f"{name.replace('.', '/')}.py", f"{name.replace('.', '/')}/__init__.py"} & files
    }
    # These contain no code but an exception.
    assert missing <= {"worker", "telemetry.errors"}
