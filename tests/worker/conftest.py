from tests.faults.conftest import new_pipeline, pipeline

__all__ = ["new_pipeline", "pipeline"]
