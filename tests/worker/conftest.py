from tests.faults.conftest import make_pipeline, pipeline

__all__ = ["make_pipeline", "pipeline"]
