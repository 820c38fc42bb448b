"""Compiled kernels that come with the wheel, as LLVM bitcode: see the README beside this file."""
