"""Medians, ratios with intervals, and geometric means."""
import numpy as np


SMALLEST = 1e-2  # an output that is all smaller is held against this: the reference's own sigmoid is 1e-7 away from e^x


def relative_error(y, r):
    """max|y - r| / max|r|, the worst of all outputs; infinite where sizes differ or a number isn't one."""
    if len(y) < len(r):
        return float("inf")
    worst = 0.0
    for ours, theirs in zip(y, r):
        if ours.size != theirs.size or not np.all(np.isfinite(ours.astype(np.float64))):
            return float("inf")
        ours, theirs = ours.astype(np.float64).ravel(), theirs.astype(np.float64).ravel()
        largest = max(np.abs(theirs).max(initial=0.0), SMALLEST)
        worst = max(worst, np.abs(ours - theirs).max(initial=0.0) / largest)
    return float(worst)


def ratio_interval(peer, ours, draws=2000, seed=1):
    """median(peer) / median(ours), and its 95 % interval by the bootstrap over rounds. Rounds are drawn as pairs, since
    what disturbs a round disturbs both."""
    peer, ours = np.asarray(peer), np.asarray(ours)
    count = min(len(peer), len(ours))
    peer, ours = peer[:count], ours[:count]
    drawn = np.random.default_rng(seed).integers(0, count, (draws, count))
    ratios = np.median(peer[drawn], axis=1) / np.median(ours[drawn], axis=1)
    low, high = np.percentile(ratios, [2.5, 97.5])
    return float(np.median(peer) / np.median(ours)), float(low), float(high)


def geometric_mean(values):
    return float(np.exp(np.mean(np.log(values))))
