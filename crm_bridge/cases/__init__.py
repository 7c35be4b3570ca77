"""Cases and the people in them: upserted, looked up, marked, and what the policy must know of them."""
