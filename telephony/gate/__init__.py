"""The one way out: who asks, what is answered, and the calls that have no click behind them."""
