"""What the state machine can do: for each area its acts, done alike on two stores, its steps and its looks."""
