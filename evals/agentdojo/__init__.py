"""AgentDojo's banking and workspace suites behind Handrail's own gate. `agentdojo` is imported only where used."""
