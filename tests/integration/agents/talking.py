"""A conversation straight with the runtime, without HTTP."""

from dataclasses import dataclass
from typing import Any

from app.api.conversations import conversation_record, turn_answer
from app.runtime import Runtime


@dataclass
class Talk:
    """One customer's conversation."""

    runtime: Runtime
    customer: str
    conversation_id: str = ""
    level: str = "verified"

    async def say(self, text: str) -> dict[str, Any]:
        """Send a message and wait for the turn."""
        if not self.conversation_id:
            opened = await self.runtime.services.transcript.open(self.customer, self.level, "chat")
            self.conversation_id = opened.id
        message, task = await self.runtime.turns.receive(self.conversation_id, text)
        await task
        return await turn_answer(self.runtime, message.id)

    async def record(self) -> dict[str, Any]:
        """The whole record."""
        conversation = await self.runtime.services.transcript.get(self.conversation_id)
        return await conversation_record(self.runtime, conversation, whole=True)

    async def backend(self, table: str) -> list[dict[str, Any]]:
        """This customer's rows at the backend."""
        rows = (await self.runtime.sandbox.dump())[table]
        return [row for row in rows if row["customer_id"] == self.customer]
