/* All that kernels need of it is in metal_stdlib. */
