"""Analysis of agent runs through the rule engine."""

from post_training_toolkit.agents.analysis.analyze import Analyser, agent_rules, analyze
from post_training_toolkit.agents.analysis.measures import measure
from post_training_toolkit.agents.analysis.result import Analysis
from post_training_toolkit.agents.analysis.settings import AnalysisSettings

__all__ = ["Analyser", "Analysis", "AnalysisSettings", "agent_rules", "analyze", "measure"]
