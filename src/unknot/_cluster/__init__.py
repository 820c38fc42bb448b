"""Tasks on other threads, processes or machines: any executor, or a Dask cluster."""
