"""The state machine of a turn.

    receive -> triage -> retrieve -> act <-> gate -> execute -> act ...
                 |                     gate -> respond | ask | park -> await_approval | escalate
                 +-> escalate

Each turn is a thread of its own (its id is the thread's), so a checkpoint is as large at message 200 as at message 2.
With `durability="exit"` LangGraph writes it once, where the turn ends or waits.
"""

from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from agents.nodes.act import act
from agents.nodes.approval import await_approval, park
from agents.nodes.escalate import escalate
from agents.nodes.execute import execute
from agents.nodes.gate import gate
from agents.nodes.receive import receive
from agents.nodes.respond import ask, respond
from agents.nodes.retrieve import retrieve
from agents.nodes.triage import triage
from agents.state import TurnState
from agents.turn import TurnContext


def build_graph(checkpointer: BaseCheckpointSaver[Any]) -> CompiledStateGraph[Any, Any, Any, Any]:
    """The compiled graph over a checkpointer."""
    graph = StateGraph(TurnState, context_schema=TurnContext)
    graph.add_node("receive", receive)
    graph.add_node("triage", triage)
    graph.add_node("retrieve", retrieve)
    graph.add_node("act", act)
    graph.add_node("gate", gate)
    graph.add_node("execute", execute)
    graph.add_node("respond", respond)
    graph.add_node("ask", ask)
    graph.add_node("park", park)
    graph.add_node("await_approval", await_approval)
    graph.add_node("escalate", escalate)
    graph.add_edge(START, "receive")
    graph.add_edge("retrieve", "act")
    graph.add_edge("execute", "act")
    graph.add_edge("park", "await_approval")
    for last in ("respond", "ask", "escalate"):
        graph.add_edge(last, END)
    return graph.compile(checkpointer=checkpointer)
