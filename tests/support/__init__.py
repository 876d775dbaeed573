"""What tests of every level share: waiting, processes, private servers. Nothing here asserts."""
