"""Tasks on other threads, processes or machines: any executor, or a Dask cluster."""

from .errors import ClusterError as ClusterError
from .partitions import Output as Output
from .partitions import PartitionedStage as PartitionedStage
from .partitions import Records as Records
from .partitions import Work as Work
from .partitions import explained_here as explained_here
from .partitions import finish_stage as finish_stage
from .partitions import finished as finished
from .partitions import part_key as part_key
from .partitions import partitions_of as partitions_of
from .partitions import require_finite_rows as require_finite_rows
from .workers import ExecutorWorkers as ExecutorWorkers
from .workers import workers_of as workers_of
