/*
 * Reverse-mode differentiation as a rewrite of the graph: every operator's adjoint is a few standard ONNX nodes, so
 * that the gradient runs in an ordinary session, at its speed.
 *
 * Reverse accumulation: Linnainmaa (1970); as source transformation: Griewank and Walther, Evaluating Derivatives
 * (2008), chapter 6. The convention for kinks: Relu and its kind have derivative 0 at the kink; the derivative of a
 * maximum goes to the first element that reaches it, that of a maximum over whole axes in equal shares to all that do.
 */
#ifndef RG_ADJOINT_ADJOINT_H
#define RG_ADJOINT_ADJOINT_H

#include "graph/graph.h"

/* A model that computes the gradient of s = sum over k of <seed_k, output_k>, from a canonical, resolved model.
 * `outputs`, `kept` and `wanted` are ids of values of its main graph; values that it takes over keep their ids and
 * names.
 *
 * Inputs, in this order: the model's own; a seed for each of `outputs`, of that value's type and shape; those of
 * `wanted` that are constants in the model (weights), in their order: they become inputs, so that changed ones can be
 * fed. Outputs: the values `kept`; then d s / d value for every one of `wanted`, of its type and shape (zeros where s
 * doesn't depend on it). Only what these need is computed.
 *
 * RANGO_ERROR_UNSUPPORTED names a node that has no adjoint. The model runs in sessions; nodes are of opset 18 or the
 * model's, whichever is newer, so that a model of an older opset can't be written. */
rango_status rg_adjoint_create(const rango_model *model, const int *outputs, size_t output_count, const int *kept,
                               size_t kept_count, const int *wanted, size_t wanted_count, rango_model **out);

/* The first node on a path from one of `wanted` to one of `outputs` that has no adjoint, or NULL: there is none (or,
 * with the thread's error message set, no memory to look). */
const rg_node *rg_adjoint_missing(const rango_model *model, const int *outputs, size_t output_count, const int *wanted,
                                  size_t wanted_count);

#endif
