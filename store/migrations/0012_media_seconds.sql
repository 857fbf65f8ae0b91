-- The length of a voice note, an audio or a video, which gateways that pass on WhatsApp's protobuf name.
ALTER TABLE whatsapp_messages ADD COLUMN media_seconds integer;
