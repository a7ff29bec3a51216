GRANT sextant_app TO {user};
