"""Tasks on other threads, processes or machines: any executor, or a Dask cluster."""

from .errors import ClusterError as ClusterError
from .workers import workers_of as workers_of
