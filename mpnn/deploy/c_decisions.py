"""Decisions of an integer network as C99: sign, argmax, and the pairwise vote with its ties."""

from collections.abc import Callable

import numpy as np

from mpnn.deploy.c_layers import input_type
from mpnn.deploy.c_text import c_array
from mpnn.integer_networks.decisions import Argmax, Sign, Vote
from mpnn.integer_networks.network import IntegerNetwork

__all__ = ["confidence_source", "decision_source"]


def decision_source(network: IntegerNetwork, name: str) -> str:
    """The function ``<name>_predict`` and its tables."""
    decision = network.decision
    ctype = input_type(network)
    head = f"int {name}_predict(const {ctype} *x)\n{{\n    int32_t outputs[{decision.num_outputs}];\n"
    call = f"    {name}_outputs(x, outputs);\n"
    if isinstance(decision, Sign):
        return f"{head}{call}    return outputs[0] >= 0;\n}}\n"
    if isinstance(decision, Argmax):
        return _argmax(decision, name, head, call)
    return _vote(decision, name, head, call)


def _argmax(decision: Argmax, name: str, head: str, call: str) -> str:
    data, score, ctype = "", "outputs[own]", "int32_t"
    if decision.multipliers is not None:
        assert decision.offsets is not None
        ctype = "int64_t"
        data = c_array(f"{name}_multipliers", decision.multipliers) + c_array(
            f"{name}_offsets", decision.offsets
        )
        score = f"(int64_t)outputs[own] * {name}_multipliers[own] - {name}_offsets[own]"
    return f"""{data}{head}    {ctype} best = 0;
    int own, first = -1;
{call}    for (own = 0; own < {decision.num_classes}; ++own) {{
        const {ctype} score = {score};
        if (first < 0 || score > best) {{
            best = score;
            first = own;
        }}
    }}
    return first;
}}
"""


def _vote(decision: Vote, name: str, head: str, call: str) -> str:
    count = decision.num_classes
    if decision.ties == "head_to_head":
        ties = f"""    if (tied > 2) {{
        return -1;
    }}
    if (tied == 2) {{
        /* the place of the pair (first, last) */
        pair = last - first - 1;
        for (own = 0; own < first; ++own) {{
            pair += {count - 1} - own;
        }}
        return outputs[pair] >= 0 ? first : last;
    }}
    return first;
"""
    else:
        ties = f"    return tied == 1 ? first : {name}_most_probable(x, outputs, votes, votes[first]);\n"
        ties = "    (void)last;\n" + ties
    return f"""{head}    uint16_t votes[{count}];
    int own, other, pair = 0, first = 0, last = 0, tied = 0;
{call}    for (own = 0; own < {count}; ++own) {{
        votes[own] = 0u;
    }}
    for (own = 0; own < {count}; ++own) {{
        for (other = own + 1; other < {count}; ++other) {{
            ++votes[outputs[pair] >= 0 ? own : other];
            ++pair;
        }}
    }}
    for (own = 0; own < {count}; ++own) {{
        if (tied == 0 || votes[own] > votes[first]) {{
            first = own;
            tied = 1;
        }} else if (votes[own] == votes[first]) {{
            last = own;
            ++tied;
        }}
    }}
{ties}}}
"""


def confidence_source(network: IntegerNetwork, name: str, squares_walk: Callable[[str], str]) -> str:
    """The function ``<name>_most_probable`` of a vote whose ties go to the most probable class.

    squares_walk : takes C that comes first, returns C that adds ``weight^2 (code - offset)^2`` of the first
        layer to ``power[unit]``.
    """
    decision = network.decision
    assert isinstance(decision, Vote)
    assert decision.confidence is not None
    table, pairs, count = decision.confidence, decision.num_outputs, decision.num_classes
    data = c_array(f"{name}_losing", table.losing, "uint32_t")
    data += c_array(f"{name}_winning", table.winning, "uint32_t")
    ctype = input_type(network)
    if table.roots is not None:
        data += c_array(f"{name}_roots", table.roots, "int64_t")
        declared, before, root = "", "    (void)x;\n", f"(uint64_t){name}_roots[pair]"
    else:
        assert table.offsets is not None
        assert table.extra is not None
        biased = bool(np.any(table.extra))
        data += c_array(f"{name}_offsets", table.offsets)
        data += c_array(f"{name}_extra", table.extra) if biased else ""
        data += _power_function(name, ctype, pairs, squares_walk, biased) + _root(name)
        declared = f"    uint64_t power[{pairs}];\n"
        before = f"    {name}_power(x, power);\n"
        root = f"{name}_root(power[pair] << {2 * table.root_bits})"
    end, mask = table.end, (1 << table.step_bits) - 1
    return f"""{data}
static uint64_t {name}_between(const uint32_t *table, uint32_t step)
{{
    const uint32_t place = step >> {table.step_bits}, part = step & {mask}u;
    /* reciprocals rise to one side and fall to the other: differences are signed */
    const int64_t low = (int64_t)table[place];
    const int64_t high = place + 1u < {len(table.losing)}u ? (int64_t)table[place + 1u] : low;
    return (uint64_t)(low * {mask + 1} + (high - low) * (int64_t)part);
}}

static int {name}_most_probable(
    const {ctype} *x, const int32_t *outputs, const uint16_t *votes, uint16_t most)
{{
{declared}    uint64_t totals[{count}];
    uint32_t pair = 0u;
    int own, other, best = -1;
{before}    for (own = 0; own < {count}; ++own) {{
        totals[own] = 0u;
    }}
    for (own = 0; own < {count}; ++own) {{
        for (other = own + 1; other < {count}; ++other) {{
            const int wins = outputs[pair] >= 0;
            const uint64_t size = (uint64_t)(wins ? outputs[pair] : -outputs[pair]);
            const uint64_t root = {root};
            const uint64_t score = (size << {table.shift}) / (root == 0u ? 1u : root);
            const uint32_t step = score < {end}u ? (uint32_t)score : {end}u;
            totals[wins ? own : other] += {name}_between({name}_winning, step);
            totals[wins ? other : own] += {name}_between({name}_losing, step);
            ++pair;
        }}
    }}
    for (own = 0; own < {count}; ++own) {{
        if (votes[own] == most && (best < 0 || totals[own] < totals[best])) {{
            best = own;
        }}
    }}
    return best;
}}
"""


def _power_function(name: str, ctype: str, pairs: int, walk: Callable[[str], str], biased: bool) -> str:
    start = f"""    for (unit = 0u; unit < {pairs}u; ++unit) {{
        power[unit] = {f"(uint64_t){name}_extra[unit]" if biased else "0u"};
    }}
"""
    return f"""
static void {name}_power(const {ctype} *x, uint64_t *power)
{{
{walk(start)}}}
"""


def _root(name: str) -> str:
    return f"""
/* The largest whole number whose square is not above; below 2^52. */
static uint64_t {name}_root(uint64_t square)
{{
    uint64_t root = 0u, bit = (uint64_t)1 << 52;
    while (bit != 0u) {{
        if (square >= root + bit) {{
            square -= root + bit;
            root = (root >> 1) + bit;
        }} else {{
            root >>= 1;
        }}
        bit >>= 2;
    }}
    return root;
}}
"""
