"""From a click to one Originate: facts gathered, decided, reserved, sent."""
