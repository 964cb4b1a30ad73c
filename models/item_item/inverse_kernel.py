"""Compiled loops over columns of a unit lower triangular matrix and of its inverse."""

import numpy as np

from models.ranking.selection import compiled

Out = tuple[np.ndarray, np.ndarray, np.ndarray]  # entries of each column, their rows and values


@compiled
def residual_norms(
    L_indptr: np.ndarray, L_rows: np.ndarray, L_data: np.ndarray,
    M_indptr: np.ndarray, M_rows: np.ndarray, M_data: np.ndarray,
    columns: np.ndarray, norms: np.ndarray,
) -> None:  # fmt: skip
    """Write the length of some columns of I - L M."""
    n = len(L_indptr) - 1
    r, stamp, touched = np.zeros(n), np.full(n, -1), np.empty(n, np.int64)
    for j in columns:
        start, end = M_indptr[j], M_indptr[j + 1]
        n_touched = _add_product(
            L_indptr, L_rows, L_data, M_rows[start:end], M_data[start:end],
            r, stamp, touched, 0, j,
        )  # fmt: skip
        n_touched = _add_one(j, r, stamp, touched, n_touched, j)
        total = 0.0
        for i in touched[:n_touched]:
            residual = r[i] - 2.0 * (i == j)  # r holds L m + e, the residual is e - L m
            total += residual**2
        norms[j] = np.sqrt(total)


@compiled
def improved_columns(
    L_indptr: np.ndarray, L_rows: np.ndarray, L_data: np.ndarray,
    M_indptr: np.ndarray, M_rows: np.ndarray, M_data: np.ndarray,
    columns: np.ndarray, bar: float,
) -> Out:  # fmt: skip
    """Return columns m + a r, r = e - L m and a its best step, without entries under the bar."""
    n = len(L_indptr) - 1
    r, r_stamp, r_touched = np.zeros(n), np.full(n, -1), np.empty(n, np.int64)
    p, p_stamp, p_touched = np.zeros(n), np.full(n, -1), np.empty(n, np.int64)
    lengths, rows, values = _room(len(columns))
    used = 0
    for c, j in enumerate(columns):
        m_rows = M_rows[M_indptr[j] : M_indptr[j + 1]]
        m = M_data[M_indptr[j] : M_indptr[j + 1]]
        n_r = _add_product(L_indptr, L_rows, L_data, m_rows, -m, r, r_stamp, r_touched, 0, j)
        n_r = _add_one(j, r, r_stamp, r_touched, n_r, j)
        some = r_touched[:n_r]
        n_p = _add_product(L_indptr, L_rows, L_data, some, r[some], p, p_stamp, p_touched, 0, j)
        step = _best_step(r, p, p_touched[:n_p])
        for i in some:
            r[i] *= step
        n_r = _add_scaled(m_rows, m, r, r_stamp, r_touched, n_r, j)
        rows, values, lengths[c] = _emit(r, r_touched[:n_r], bar, rows, values, used)
        used += lengths[c]
    return lengths, rows[:used], values[:used]


@compiled
def _room(n_columns: int) -> Out:
    size = 16 * n_columns
    return np.zeros(n_columns, np.int64), np.empty(size, np.int32), np.empty(size, np.float32)


@compiled
def _add_product(
    indptr: np.ndarray, L_rows: np.ndarray, L_data: np.ndarray,
    columns: np.ndarray, weights: np.ndarray,
    x: np.ndarray, stamp: np.ndarray, touched: np.ndarray, n_touched: int, mark: int,
) -> int:  # fmt: skip
    """Add the weighted columns of L to x; return how many places are touched by now."""
    for place in range(len(columns)):
        weight = weights[place]
        if weight == 0.0:
            continue
        for entry in range(indptr[columns[place]], indptr[columns[place] + 1]):
            i = L_rows[entry]
            if stamp[i] != mark:
                stamp[i] = mark
                x[i] = 0.0
                touched[n_touched] = i
                n_touched += 1
            x[i] += weight * L_data[entry]
    return n_touched


@compiled
def _add_scaled(
    rows: np.ndarray, values: np.ndarray,
    x: np.ndarray, stamp: np.ndarray, touched: np.ndarray, n_touched: int, mark: int,
) -> int:  # fmt: skip
    for place in range(len(rows)):
        i = rows[place]
        if stamp[i] != mark:
            stamp[i] = mark
            x[i] = 0.0
            touched[n_touched] = i
            n_touched += 1
        x[i] += values[place]
    return n_touched


@compiled
def _add_one(
    i: int, x: np.ndarray, stamp: np.ndarray, touched: np.ndarray, n_touched: int, mark: int
) -> int:
    if stamp[i] != mark:
        stamp[i] = mark
        x[i] = 0.0
        touched[n_touched] = i
        n_touched += 1
    x[i] += 1.0
    return n_touched


@compiled
def _best_step(r: np.ndarray, p: np.ndarray, touched: np.ndarray) -> float:
    """Return the step along r that shortens the residual most; 0 where r has vanished."""
    rp, pp = 0.0, 0.0
    for i in touched:  # L has a unit diagonal, so that p is touched wherever r is not zero
        if p[i] != 0.0:
            rp += r[i] * p[i]
            pp += p[i] ** 2
    return rp / pp if pp > 0.0 else 0.0


@compiled
def _emit(
    x: np.ndarray, touched: np.ndarray, bar: float,
    rows: np.ndarray, values: np.ndarray, used: int,
) -> tuple[np.ndarray, np.ndarray, int]:  # fmt: skip
    """Append the entries of x that reach the bar; return the arrays, larger if need be."""
    if used + len(touched) > len(rows):
        size = 2 * (used + len(touched))
        more_rows, more_values = np.empty(size, np.int32), np.empty(size, np.float32)
        more_rows[:used], more_values[:used] = rows[:used], values[:used]
        rows, values = more_rows, more_values
    n = 0
    for i in touched:
        value = np.float32(x[i])
        if value != 0.0 and abs(value) >= bar:
            rows[used + n], values[used + n] = i, value
            n += 1
    return rows, values, n
