"""What a chat is: values, rules, errors and ports. Imports nothing else of chatcore."""
