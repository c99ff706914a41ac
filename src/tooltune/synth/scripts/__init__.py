"""Programs written as generators, server by server, with the wordings of their requests."""
