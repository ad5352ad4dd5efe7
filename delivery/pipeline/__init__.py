"""What happens to a composed message: marked `sending`, handed to a provider, recorded. Nothing is claimed here."""
