"""Settings of the machines that train."""

from typing import Self

from pydantic import Field, model_validator

from lib.settings.base import StageSettings


class ProcessSettings(StageSettings):
    gpu: int = Field(default=0, ge=0)
    """GPUs of each node that train together, one process each; 0 trains on the CPU. Scoring takes one, if any."""
    processes: int = Field(default=1, ge=1)
    """Processes of each node that train together where there are no GPUs. Raise it on machines with many cores."""
    nodes: int = Field(default=1, ge=1)
    """Nodes that train together, in one SLURM job. Raise it when one node is too slow or too small."""

    @property
    def processes_per_node(self) -> int:
        """Processes that train on each node."""
        return self.gpu or self.processes

    @model_validator(mode="after")
    def _one_process_for_each_gpu(self) -> Self:
        if self.gpu and self.processes not in (1, self.gpu):
            raise ValueError(f"processes ({self.processes}) has no effect with gpu: {self.gpu}; leave it out")
        return self
