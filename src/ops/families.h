/* The operator families: one line each, in alphabetical order, for family_<name>.c (which ends with RG_OPS_EXPORT).
 * Included where RG_FAMILY is defined, more than once. */
RG_FAMILY(control)
RG_FAMILY(conv)
RG_FAMILY(matmul)
RG_FAMILY(norm)
RG_FAMILY(pool)
RG_FAMILY(private)
RG_FAMILY(recurrent)
RG_FAMILY(softmax)
