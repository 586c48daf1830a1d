"""Checkpoints: kept only of turns that wait for an approval.

A turn that ends leaves nothing to resume: what happened stands in `records`. So its checkpoint is not written, and
that of a turn which ends after its approval is removed.
"""

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.base import CheckpointTuple as Saved

FRESH = "fresh"
"""In a run's `configurable`: the thread is new, so there is nothing to look for."""


class ParkedOnly(BaseCheckpointSaver[Any]):
    """Mix-in over a saver: stores a checkpoint only where its state names an approval that is waited for."""

    async def aget_tuple(self, config: RunnableConfig) -> Saved | None:
        """See `BaseCheckpointSaver`."""
        if config.get("configurable", {}).get(FRESH):
            return None
        return await super().aget_tuple(config)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See `BaseCheckpointSaver`."""
        configurable = config.get("configurable", {})
        if checkpoint["channel_values"].get("approval_id"):
            return await super().aput(config, checkpoint, metadata, new_versions)
        if configurable.get("checkpoint_id"):  # it was parked before
            await self.adelete_thread(configurable["thread_id"])
        return {"configurable": {**configurable, "checkpoint_id": checkpoint["id"]}}
