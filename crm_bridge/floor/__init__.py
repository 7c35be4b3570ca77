"""Who is doing what now: collectors' states, the supervisor's floor, the screen on the wall, to whom a call may go."""
