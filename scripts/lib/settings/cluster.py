"""Settings of jobs on a cluster."""

from pydantic import Field

from lib.settings.base import StageSettings


class ClusterSettings(StageSettings):
    max_minutes: int = Field(default=720, ge=1)
    """Maximum wall time of a job in minutes. Set it to the partition's limit. Training asks for all of it and
    continues in the next job; other jobs ask for an hour or two, and for twice as much after a timeout."""
    max_memory: int | None = Field(default=None, ge=1)
    """Maximum memory of a job on each node, in MB. Set it to what the partition's nodes have. Not given: no limit."""
