"""One module a system. Each gives ``fit(workload)`` and ``predictor(workload)``.

``fit(workload)`` returns a function that trains for the workload's epochs and blocks until done;
its first call includes compiling. ``predictor(workload)`` returns a function of an array.
"""
