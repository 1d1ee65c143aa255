"""Binarised convolution: an exact reference, and kernels for CPU and CUDA."""
