-- Whether the sender had forwarded the message: null, 'forwarded' or 'many_times'.
ALTER TABLE whatsapp_messages ADD COLUMN forwarded text;
