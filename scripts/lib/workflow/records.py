"""Results that Snakemake has no record of making, as when `.snakemake` is lost: nothing tells what made them."""

import sys
from collections.abc import Callable
from typing import Any


def refuse_unrecorded(workflow: Any) -> None:
    """Have `workflow` end with one line when its plan takes results for finished that nothing is recorded of.

    Snakemake itself says that there is nothing to be done, whatever the settings are.
    """
    build: Callable[[], None] = workflow._build_dag

    def build_and_check() -> None:
        build()
        dag = workflow.dag
        unknown = [job.output[0] for job in dag.jobs if dag.reason(job).no_metadata and not dag.needrun(job)]
        if unknown:
            more = f" and {len(unknown) - 1:,} more" if len(unknown) > 1 else ""
            sys.exit(
                f"error: nothing is recorded of how {min(unknown)}{more} came about, so they may not fit the settings: "
                ".snakemake/ is lost. Bring it back, or run `snakemake --cores all --forceall` with your settings file "
                "to make everything again, or the same with --touch to take the results as they are"
            )

    workflow._build_dag = build_and_check
