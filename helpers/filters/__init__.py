"""Part I, in NumPy only: kernels, geometry, windows, convolution and the convolutional layer."""
