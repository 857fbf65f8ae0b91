"""Tests that the search finds the same in a released version's database as in a new one."""

from collections.abc import Callable
from pathlib import Path

from dev.chaos.event_generator import EventGenerator
from store.model import spelling
from store.postgres import migrator
from store.search_index import search_document
from tests.support.processes.pipeline import WorkerPipeline
from tests.support.project.old_release import OldRelease


def test_a_released_search_index_is_rebuilt_by_the_new_worker(
    release: OldRelease, make_pipeline: Callable[..., WorkerPipeline], tmp_path: Path
) -> None:
    """No command is needed, and both versions run meanwhile."""
    pipeline = make_pipeline(empty=True)
    release.migrate(pipeline.database_url)
    release.create_worker(pipeline, tmp_path).start()
    pipeline.feed.append_all(EventGenerator(94).take(200), events_per_batch=20)
    texts = "SELECT count(*) FROM whatsapp_messages WHERE concat(message_text, caption, file_name) <> ''"
    assert pipeline.wait_until_drained(), pipeline.worker_output
    assert pipeline.wait_until(
        lambda: pipeline.fetch_rows("SELECT count(*) FROM search_index") == pipeline.fetch_rows(texts)
    )

    migrator.migrate(pipeline.database_url)
    pipeline.create_worker().start()

    is_rebuilt = "SELECT spelling FROM search_index_position"
    assert pipeline.wait_until(lambda: pipeline.fetch_rows(is_rebuilt) == [(spelling.VERSION,)])
    rows = pipeline.fetch_rows(
        """
        SELECT s.text, concat_ws(' ', m.message_text, m.caption, m.file_name)
        FROM search_index AS s
        JOIN whatsapp_messages AS m USING (id)
        """
    )
    assert len(rows) > 100
    assert [document for document, _ in rows] == [search_document.build(text) for _, text in rows]
