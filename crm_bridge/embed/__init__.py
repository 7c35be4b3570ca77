"""Our buttons in another's pages: whose token it is, whose number was clicked, where a popped case is."""
