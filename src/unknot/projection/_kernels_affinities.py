"""Compiled kernels of the affinities: arrays from the caller, nothing validated."""

import numpy as np

from .._parallel.jit import kernel


@kernel()
def conditional_rows(distances, first, last, log_perplexity, p, sigma):
    """Compute rows of p_{j|i} = exp(-beta_i d_ij^2) / sum of the target entropy, and sigma_i.

    With a_j = d_j^2 - min_j d_j^2, S = sum exp(-beta a), E and V the mean and variance of a
    under p: H = log S + beta E and dH / d log beta = -beta^2 V. Newton steps in log beta within a
    bracket; a step that leaves it is replaced by bisection. Where ties make the entropy
    unattainable, beta converges to where p no longer changes. sigma = (2 beta)^(-1/2) is the
    Gaussian's standard deviation; 0 where all distances are equal, as any would do.
    """
    k = distances.shape[1]
    a = np.empty(k)
    e = np.empty(k)
    for i in range(first, last):
        least = np.float64(distances[i, 0])
        mean = 0.0
        for t in range(k):
            d = np.float64(distances[i, t])
            a[t] = (d - least) * (d + least)
            mean += a[t]
        mean /= k
        if mean == 0.0:
            for t in range(k):
                p[i, t] = 1.0 / k
            sigma[i] = 0.0
            continue
        low = -40.0
        high = 80.0
        at = 0.0
        for _ in range(100):
            beta = np.exp(at) / mean
            s = 0.0
            m1 = 0.0
            m2 = 0.0
            for t in range(k):
                e[t] = np.exp(-beta * a[t])
                s += e[t]
                m1 += e[t] * a[t]
                m2 += e[t] * a[t] * a[t]
            m1 /= s
            m2 /= s
            excess = np.log(s) + beta * m1 - log_perplexity
            if abs(excess) < 1e-7 or high - low < 1e-9:
                break
            if excess > 0:
                low = at
            else:
                high = at
            slope = beta * beta * (m2 - m1 * m1)
            step = excess / slope if slope > 1e-12 else 1e9
            at += step
            if not low < at < high:
                at = 0.5 * (low + high)
        for t in range(k):
            p[i, t] = e[t] / s
        sigma[i] = np.sqrt(0.5 / beta)


@kernel()
def relabel_rows(indices, order, rank, first, last, relabeled, p, sorted_p):
    """Permute rows and columns to the new order, and sort each row by column."""
    k = indices.shape[1]
    for r in range(first, last):
        i = order[r]
        columns = relabeled[r]
        values = sorted_p[r]
        for t in range(k):
            column = rank[indices[i, t]]
            value = p[i, t]
            q = t
            while q > 0 and columns[q - 1] > column:
                columns[q] = columns[q - 1]
                values[q] = values[q - 1]
                q -= 1
            columns[q] = column
            values[q] = value


@kernel()
def count_columns(columns, first, last, counts):
    """Count the entries of rows first to last in each column."""
    counts[:] = 0
    for i in range(first, last):
        row = columns[i]
        for t in range(row.shape[0]):
            counts[row[t]] += 1


@kernel()
def lay_out_columns(counts, starts):
    """Convert the counts of each part of the rows, in each column, to offsets of their entries."""
    place = 0
    for j in range(counts.shape[1]):
        starts[j] = place
        for part in range(counts.shape[0]):
            count = counts[part, j]
            counts[part, j] = place
            place += count
    starts[counts.shape[1]] = place


@kernel()
def transpose(columns, values, first, last, fill, rows, transposed):
    """Write the entries of rows first to last by column, at offsets ``fill``, in row order."""
    for i in range(first, last):
        for t in range(columns.shape[1]):
            q = fill[columns[i, t]]
            fill[columns[i, t]] = q + 1
            rows[q] = i
            transposed[q] = values[i, t]


@kernel()
def measure_union(columns, values, starts, rows, transposed, first, last, lengths, largest):
    """Compute the length and the largest value of each row of the symmetrized matrix."""
    k = columns.shape[1]
    for i in range(first, last):
        q = starts[i]
        end = starts[i + 1]
        t = 0
        n = 0
        most = 0.0
        while t < k or q < end:
            c = columns[i, t] if t < k else np.int32(2147483647)
            r = rows[q] if q < end else np.int32(2147483647)
            v = 0.0
            if c <= r:
                v += np.float64(values[i, t])
                t += 1
            if r <= c:
                v += np.float64(transposed[q])
                q += 1
            most = max(most, v)
            n += 1
        lengths[i] = n
        largest[i] = most


@kernel()
def merge_union(
    columns, values, starts, rows, transposed, first, last, largest, total, ptr, index, weight, sums
):
    """Symmetrize in 16 bits: p_ij = (p_{j|i} + p_{i|j}) / total.

    A weight is p_ij in units of the row's largest value / 65535. ``sums`` gets sum_j p_ij log p_ij.
    """
    k = columns.shape[1]
    for i in range(first, last):
        q = starts[i]
        end = starts[i + 1]
        t = 0
        out = ptr[i]
        fine = 65535.0 / largest[i]
        s = 0.0
        while t < k or q < end:
            c = columns[i, t] if t < k else np.int32(2147483647)
            r = rows[q] if q < end else np.int32(2147483647)
            v = 0.0
            if c <= r:
                v += np.float64(values[i, t])
                t += 1
            if r <= c:
                v += np.float64(transposed[q])
                q += 1
            index[out] = min(c, r)
            weight[out] = np.uint16(v * fine + 0.5)
            out += 1
            if v > 0.0:
                s += v / total * np.log(v / total)
        sums[i] = s


@kernel()
def permute_rows(ptr, index, weight, order, rank, first, last, new_ptr, new_index, new_weight):
    """Move row and column ``order[r]`` to position r; ``rank`` is the inverse of ``order``."""
    for r in range(first, last):
        start = ptr[order[r]]
        columns = index[start : ptr[order[r] + 1]]
        to_index = new_index[new_ptr[r] : new_ptr[r + 1]]
        to_weight = new_weight[new_ptr[r] : new_ptr[r + 1]]
        for e in range(columns.shape[0]):
            to_index[e] = rank[columns[e]]
            to_weight[e] = weight[start + e]
