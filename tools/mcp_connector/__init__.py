"""Any other backend over the Model Context Protocol: tools of MCP servers that an operator has mapped.

Nothing that a server says of itself counts: what a tool is called, takes, shows, costs, whom it may touch and how its
effect is proven stands in the operator's file, and a tool that is not in it does not exist here. The server's schemas
are pinned there by digest.
"""
