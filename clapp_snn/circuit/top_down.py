"""Networks whose areas learn from the error of the top area, by the name of the rule."""

from clapp_snn.circuit.feedback_alignment import FeedbackAlignment
from clapp_snn.circuit.predictive_coding import PredictiveCoding
from clapp_snn.circuit.top_loss import TopLossNetwork
from clapp_snn.methods.record import Rule

TOP_DOWN: dict[Rule, type[TopLossNetwork]] = {
    "feedback-alignment": FeedbackAlignment,
    "predictive-coding": PredictiveCoding,
}
"""Networks by rule."""
