"""What watches a training: it is given the numbers of every epoch, and may stop the training.

The classes know nothing of networks: whoever trains calls them. To write another one, override methods of
:class:`Callback`.
"""

from mpnn.callbacks.base import Callback, Epoch
from mpnn.callbacks.logs import CSVLog, TensorBoard
from mpnn.callbacks.progress import EpochLines, ProgressBar

__all__ = ["CSVLog", "Callback", "Epoch", "EpochLines", "ProgressBar", "TensorBoard"]
