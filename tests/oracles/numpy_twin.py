"""A second implementation of the message-passing equations: NumPy, float64, written for reading.

Networks of sign units with binary or ternary weights, kept apart from the library on purpose: it imports
nothing of it. Arrays are ``[batch, units]`` and ``[inputs, outputs]``. The equations are those of Lucibello
et al. 2022 (doi:10.1088/2632-2153/ac7d3b), appendix A. Index letters: b sample, i input, k output.
"""

import dataclasses

import numpy as np
from scipy.special import erf, erfcx, log_ndtr

VARIANCE_FLOOR = 1e-8


@dataclasses.dataclass
class TwinLayer:
    """``field`` and ``precision`` of the posterior, damped ``mean`` and ``variance``, all ``[N, K]``."""

    field: np.ndarray
    precision: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    mask: np.ndarray
    ternary: bool = False
    sparsity: float = 0.0

    def moments(self, field, precision):
        """Mean and variance of a belief, 0 and 0 where there is no weight."""
        if not self.ternary:
            mean = np.tanh(field)
            return mean * self.mask, (1 - mean**2) * self.mask
        up, down = np.exp(field - precision / 2), np.exp(-field - precision / 2)
        total = up + down + np.exp(self.sparsity)
        mean, square = (up - down) / total, (up + down) / total
        return mean * self.mask, (square - mean**2) * self.mask

    def learn(self, field, precision, damping):
        """Take a new posterior; the beliefs are averaged, so their second moments are."""
        self.field, self.precision = field, precision
        mean, variance = self.moments(field, precision)
        second = damping * (self.variance + self.mean**2) + (1 - damping) * (variance + mean**2)
        self.mean = damping * self.mean + (1 - damping) * mean
        self.variance = (second - self.mean**2) * self.mask


def mills(x):
    """Standard normal density over upper tail."""
    return np.sqrt(2 / np.pi) / erfcx(x / np.sqrt(2))


def sign_gradient(field, omega, variance):
    """d/domega log sum_s exp(field s) Phi(s omega / sqrt(variance)), for finite or infinite fields."""
    side, strength = np.where(field >= 0, 1.0, -1.0), np.abs(field)
    scaled = side * omega / np.sqrt(variance)
    with np.errstate(divide="ignore"):
        log_top = np.log(-np.expm1(-2 * strength)) - scaled**2 / 2 - np.log(2 * np.pi * variance) / 2
    return side * np.exp(log_top - np.logaddexp(log_ndtr(scaled), log_ndtr(-scaled) - 2 * strength))


def sign_curvature(gradient, omega, variance):
    return gradient * (omega / variance + gradient)


def upgoing_field(omega, variance):
    scaled = omega / np.sqrt(variance)
    return (log_ndtr(scaled) - log_ndtr(-scaled)) / 2


def argmax_gradient(labels, omega, variance):
    """Losers are pushed down by their tail against the winner, the winner up by the sum."""
    rows = np.arange(len(labels))
    scale = np.sqrt(variance + variance[rows, labels][:, None])
    gradient = -mills((omega - omega[rows, labels][:, None]) / scale) / scale
    gradient[rows, labels] = 0.0
    gradient[rows, labels] = -gradient.sum(axis=1)
    return gradient


def preactivation(layer, mean, variance):
    """Mean and variance of sum_i w x for independent w and x."""
    omega = mean @ layer.mean
    spread = mean**2 @ layer.variance + variance @ layer.mean**2 + variance @ layer.variance
    return omega, spread + VARIANCE_FLOOR


def half_step(layer):
    """Half the distance of the sums of signs of 0 and of the next below: the probability of an even sum."""
    odd = layer.variance + layer.mean**2
    return 0.5 * (1.0 + np.prod(1.0 - 2.0 * odd, axis=0))


def one_sweep_batch(layers, inputs, labels, rule, rho, damping):
    """One batch of one sweep; ``labels`` are class numbers (joint argmax) or -1.0 and 1.0 (one output)."""
    incoming, preactivations = [(inputs, np.zeros_like(inputs))], []
    for index, layer in enumerate(layers):
        omega, variance = preactivation(layer, *incoming[-1])
        if index > 0 and not (layer is layers[-1] and labels.dtype.kind == "i"):
            omega = omega + half_step(layer)
        preactivations.append((omega, variance))
        unit = erf(omega / np.sqrt(2 * variance))
        incoming.append((unit, 1 - unit**2))
    above = None
    for index in reversed(range(len(layers))):
        layer, (omega, variance), (x, delta) = layers[index], preactivations[index], incoming[index]
        joint = above is None and labels.dtype.kind == "i"
        if above is None and not joint:
            above = labels[:, None] * np.inf
        if joint:
            gradient, reaction = argmax_gradient(labels, omega, variance), None
            evidence, down = x.T @ gradient, gradient @ layer.mean.T
        elif rule == "bp_inspired":
            own = x[:, :, None] * layer.mean[None]
            cavity = sign_gradient(above[:, None, :], omega[:, None, :] - own, variance[:, None, :])
            evidence = np.einsum("bi,bik->ik", x, cavity)
            down = np.einsum("bik,ik->bi", cavity, layer.mean)
        else:
            gradient = sign_gradient(above, omega, variance)
            evidence, down = x.T @ gradient, gradient @ layer.mean.T
            if rule == "amp":
                reaction = sign_curvature(gradient, omega, variance)
                evidence = evidence + layer.mean * ((x**2).T @ reaction)
                down = down + x * (reaction @ (layer.mean**2).T)
        precision = np.zeros_like(evidence)
        if layer.ternary:
            gradient = sign_gradient(above, omega, variance)
            curvature = sign_curvature(gradient, omega, variance)
            precision = (x**2 + delta).T @ curvature - delta.T @ gradient**2
        field = rho[index] * layer.field + evidence
        precision = rho[index] * layer.precision + precision
        if joint:
            layer.learn(damping[index] * layer.field + (1 - damping[index]) * field, precision, 0.0)
        else:
            layer.learn(field, precision, damping[index])
        above = down


def amp_batch(layers, inputs, labels, num_sweeps, rho, damping, reinforcement=0.0):
    """AMP with one output, several sweeps over a batch, each quantity with its time index spelled out.

    Sums over i, k and b are written as in the paper's list of equations, with g at sweep 0 equal to 0.
    """
    depth = len(layers)
    prior = [(rho * layer.field, rho * layer.precision) for layer in layers]
    told = [[np.zeros_like(layer.field), np.zeros_like(layer.field)] for layer in layers]
    g = [[np.zeros((len(inputs), layer.mean.shape[1]))] for layer in layers]
    x, m = [[None] for _ in layers], [[None] for _ in layers]
    down = [None] * depth  # what the inputs of a layer hear from it
    for t in range(1, num_sweeps + 1):
        omegas, variances, deltas = [], [], []
        for n, layer in enumerate(layers):
            if n == 0:
                unit, delta = inputs, np.zeros_like(inputs)
            else:
                heard = 0.0 if down[n] is None else down[n]
                unit = np.tanh(heard + upgoing_field(omegas[-1], variances[-1]))
                delta = 1 - unit**2
            x[n].append(unit)
            m[n].append(layer.mean)
            mean, sigma, before = layer.mean, layer.variance, g[n][t - 1]
            omega, variance = preactivation(layer, unit, delta)
            if t > 1:
                old_x, old_m = x[n][t - 1], m[n][t - 1]
                omega = omega - before * np.einsum("ik,bi,bi->bk", sigma, unit, old_x)
                omega = omega - before * np.einsum("ik,ik,bi->bk", mean, old_m, delta)
                omega = omega + before**2 * np.einsum("ik,ik,bi,bi->bk", sigma, old_m, old_x, delta)
            omegas.append(omega if n == 0 else omega + half_step(layer))
            variances.append(variance)
            deltas.append(delta)
        above = labels[:, None] * np.inf
        for n in reversed(range(depth)):
            layer, mean, sigma = layers[n], m[n][t], layers[n].variance
            unit, delta, before = x[n][t], deltas[n], g[n][t - 1]
            gradient = sign_gradient(above, omegas[n], variances[n])
            gamma = sign_curvature(gradient, omegas[n], variances[n])
            g[n].append(gradient)
            below = gradient @ mean.T + unit * (gamma @ (mean**2).T)
            field = unit.T @ gradient + mean * ((unit**2).T @ gamma)
            if t > 1:
                old_x, old_m = x[n][t - 1], m[n][t - 1]
                below = below - old_x * np.einsum("bk,bk,ik->bi", gradient, before, sigma)
                below = below - unit * old_x * np.einsum("ik,ik,bk,bk->bi", sigma, mean, before, gamma)
                field = field - old_m * np.einsum("bk,bk,bi->ik", gradient, before, delta)
                field = field - mean * old_m * np.einsum("bk,bk,bi,bi->ik", before, gamma, delta, unit)
            precision = np.zeros_like(field)
            if layer.ternary:
                precision = (unit**2 + delta).T @ gamma - delta.T @ gradient**2
            told[n] = [field + reinforcement * told[n][0], precision + reinforcement * told[n][1]]
            layer.learn(prior[n][0] + told[n][0], prior[n][1] + told[n][1], damping)
            down[n] = above = below


def bp_batch(layers, inputs, labels, num_sweeps, rho, damping):
    """Belief propagation with one output: cavity means on every edge ``[b, i, k]``, full variances."""
    depth, batch_size = len(layers), len(inputs)
    prior = [(rho * layer.field, rho * layer.precision) for layer in layers]
    weight_cavity = [np.repeat(layer.mean[None], batch_size, axis=0) for layer in layers]
    heard = [np.zeros((batch_size, len(layer.mean))) for layer in layers]
    heard_from_others = [np.zeros_like(cavity) for cavity in weight_cavity]
    for _ in range(num_sweeps):
        omegas, variances, units, unit_cavities, deltas = [], [], [], [], []
        for n, layer in enumerate(layers):
            if n == 0:
                unit, unit_cavity = inputs, inputs[:, :, None]
                delta = np.zeros_like(inputs)
            else:
                up = upgoing_field(omegas[-1], variances[-1])
                unit = np.tanh(up + heard[n])
                unit_cavity = np.tanh(up[:, :, None] + heard_from_others[n])
                delta = 1 - unit**2
            omega = np.sum(weight_cavity[n] * unit_cavity, axis=1)
            omegas.append(omega if n == 0 else omega + half_step(layer))
            variances.append(preactivation(layer, unit, delta)[1])
            units.append(unit)
            unit_cavities.append(unit_cavity)
            deltas.append(delta)
        above = labels[:, None] * np.inf
        for n in reversed(range(depth)):
            layer, own = layers[n], weight_cavity[n] * unit_cavities[n]
            variance = variances[n][:, None, :]
            cavity = sign_gradient(above[:, None, :], omegas[n][:, None, :] - own, variance)
            to_weight, to_unit = cavity * unit_cavities[n], cavity * weight_cavity[n]
            heard[n] = to_unit.sum(axis=2)
            heard_from_others[n] = heard[n][:, :, None] - to_unit
            field, precision = prior[n][0] + to_weight.sum(axis=0), np.zeros_like(layer.field)
            if layer.ternary:
                gradient = sign_gradient(above, omegas[n], variances[n])
                gamma = sign_curvature(gradient, omegas[n], variances[n])
                precision = (units[n] ** 2 + deltas[n]).T @ gamma - deltas[n].T @ gradient**2
                precision = prior[n][1] + precision
            layer.learn(field, precision, damping)
            fresh = layer.moments(field - to_weight, precision)[0]
            weight_cavity[n] = damping * weight_cavity[n] + (1 - damping) * fresh
            above = heard[n]
