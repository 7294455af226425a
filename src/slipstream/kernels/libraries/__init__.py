"""The compiled kernels, one library for each set of vector instructions; made on installation."""
