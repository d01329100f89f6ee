"""What a training takes before it runs: operations, bytes, seconds, by the rates of a machine."""

from mpnn.planning.machines import MACHINES, Machine, load_machine, save_machine
from mpnn.planning.measuring import measure_link, measure_machine
from mpnn.planning.plans import Plan, plan_training
from mpnn.planning.steps import StepCost, cost_of_step

__all__ = [
    "MACHINES",
    "Machine",
    "Plan",
    "StepCost",
    "cost_of_step",
    "load_machine",
    "measure_link",
    "measure_machine",
    "plan_training",
    "save_machine",
]
